# The device side: `docker build -t fer-edge .`, then `docker run --rm -v "$PWD:/work" fer-edge run photo.jpg`;
# a camera by `--device /dev/video0`, the live page by `-p 8000:8000 fer-edge run --camera 0 --web 8000 --web-host 0.0.0.0`.
# About 160 MB to download, of which OpenCV with its FFmpeg is the larger half.
FROM python:3.11-slim AS build
COPY . /source
# opencv-python brings a window that no container has, and wants libGL; -headless takes its place.
# What is removed no command of the device side loads: a GPU's accelerator, vendors' compilers, pip itself.
RUN python -m venv /opt/fer-edge \
 && /opt/fer-edge/bin/pip install --no-cache-dir --no-compile /source \
 && /opt/fer-edge/bin/pip uninstall --yes opencv-python \
 && /opt/fer-edge/bin/pip install --no-cache-dir --no-compile "opencv-python-headless>=4.10,<5" \
 && cd /opt/fer-edge/lib/python3.11/site-packages \
 && rm -rf ai_edge_litert/libLiteRtWebGpuAccelerator.so ai_edge_litert/vendors pip pip-* setuptools setuptools-* pkg_resources

FROM python:3.11-slim
COPY --from=build /opt/fer-edge /opt/fer-edge
RUN useradd --create-home --groups video fer-edge
USER fer-edge
WORKDIR /work
ENTRYPOINT ["/opt/fer-edge/bin/fer-edge"]
CMD ["doctor"]
