# The device side: `docker build -t fer-edge .`, then `docker run --rm -v "$PWD:/work" fer-edge run photo.jpg`;
# a camera by `--device /dev/video0 --group-add video`, the live page by
# `-p 8000:8000 fer-edge run --camera 0 --web 8000 --web-host 0.0.0.0`. Its size: docs/hardening.md.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    python3-venv python3-dev gcc g++ binutils liblapack3 libblas3
ENV PATH=/opt/fer-edge/bin:$PATH
# No matrix here is large: numpy is built without OpenBLAS (28 MB). opencv-python-headless takes the place of
# opencv-python, which brings a window that no container has.
RUN python3 -m venv /opt/fer-edge \
 && pip install --no-cache-dir --upgrade pip \
 && pip install --no-cache-dir --no-compile --no-binary numpy -C setup-args=-Dallow-noblas=true numpy
COPY . /source
RUN pip install --no-cache-dir --no-compile /source \
 && pip uninstall --yes opencv-python \
 && pip install --no-cache-dir --no-compile "opencv-python-headless>=4.10,<5"
# What is left out, no command of the device side loads: OpenCV's OpenBLAS (39 MB; Debian's LAPACK takes its
# place), a GPU's accelerator and vendors' compilers, networks to train on, tests, pip.
RUN mkdir /opt/lapack && cp -L /usr/lib/*-linux-gnu/liblapack.so.3 /usr/lib/*-linux-gnu/libblas.so.3 \
    /usr/lib/*-linux-gnu/libgfortran.so.5 /opt/lapack/ \
 && (cp -L /usr/lib/*-linux-gnu/libquadmath.so.0 /opt/lapack/ || true) \
 && cd /opt/fer-edge/lib/python3.11/site-packages \
 && for library in opencv_python_headless.libs/libopenblas*.so; do ln -sf /opt/lapack/liblapack.so.3 "$library"; done \
 && rm -rf opencv_python_headless.libs/libgfortran* opencv_python_headless.libs/libquadmath* \
    ai_edge_litert/libLiteRt*.so ai_edge_litert/vendors ai_edge_litert/tools fer_edge/_models/*.keras \
    pip pip-* setuptools setuptools-* pkg_resources \
 && strip --strip-unneeded ai_edge_litert/*.so \
 && find . -depth -type d -name tests -exec rm -r {} + \
 && find . \( -name "*.pyi" -o -name "haarcascade_*" ! -name "*frontalface_default*" ! -name "*profileface*" \) -delete

FROM gcr.io/distroless/python3-debian12:nonroot
COPY --from=build /opt /opt
ENV LD_LIBRARY_PATH=/opt/lapack
WORKDIR /work
ENTRYPOINT ["/opt/fer-edge/bin/fer-edge"]
CMD ["doctor"]
