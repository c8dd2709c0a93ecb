"""Times arcface_torch's own training step and classifier on this CPU, beside which scripts/bench.sh train puts ours.

    arcface_torch.py DIR THREADS CASE...

DIR is a work tree of deepinsight/insightface. Its code is imported as it is; what it asks of CUDA does nothing here, and its autocast
regions become bf16 ones of the CPU. A CASE is NETWORK/SIDE/BATCH/f32|bf16, answered in pictures per second, or
CLASSES/rateR/dense (d 512, batch 128), answered in milliseconds; both as the median of a few steps. Prints "CASE NUMBER" lines. Cases that
it does not have (other sizes than 112, sparse updates), that do not fit the memory, or whose packages are missing are left out, with a line
on stderr. Needs PyTorch and, for ViTs, timm.
"""
import contextlib
import os
import statistics
import sys
import tempfile
import time

import torch

WARM_UP, STEPS, CLASSES = 2, 5, 10000


def stub_cuda():
    """bf16 is a mutable flag: which regions compute in low precision is arcface_torch's own choice."""
    flags = {"bf16": False}
    torch.Tensor.cuda = lambda self, *a, **k: self
    torch.nn.Module.cuda = lambda self, *a, **k: self

    def autocast(enabled=True, *a, **k):
        if flags["bf16"]:
            return torch.amp.autocast("cpu", dtype=torch.bfloat16, enabled=bool(enabled))
        return contextlib.nullcontext()

    torch.cuda.amp.autocast = autocast
    return flags


def median_seconds(step):
    times = []
    for i in range(WARM_UP + STEPS):
        start = time.perf_counter()
        step()
        if i >= WARM_UP:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def whole_step(peer, flags, network, batch, bf16):
    flags["bf16"] = bf16
    net = peer.get_model(network, dropout=0.0, fp16=bf16, num_features=512).train()
    head = peer.head(CLASSES, 1.0)
    optimizer = torch.optim.SGD([{"params": net.parameters()}, {"params": head.parameters()}], lr=0.02, momentum=0.9, weight_decay=5e-4)
    images, labels = torch.randn(batch, 3, 112, 112), torch.randint(0, CLASSES, (batch,))

    def step():
        head(net(images), labels.clone()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimizer.step()
        optimizer.zero_grad()

    return batch / median_seconds(step)


def classifier_step(peer, classes, rate):
    head = peer.head(classes, rate)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    embeddings, labels = torch.randn(128, 512, requires_grad=True), torch.randint(0, classes, (128,))

    def step():
        head(embeddings, labels.clone()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return 1e3 * median_seconds(step)


class Peer:
    def __init__(self, folder):
        sys.path.insert(0, folder)
        try:
            import timm.layers  # newer versions of timm no longer have the name that is imported
            sys.modules.setdefault("timm.models.layers", timm.layers)
            self.has_timm = True
        except ImportError:
            self.has_timm = False
        from backbones import get_model
        from losses import CombinedMarginLoss
        from partial_fc_v2 import PartialFC_V2
        self.get_model = get_model
        self.head = lambda classes, rate: PartialFC_V2(CombinedMarginLoss(64, 1.0, 0.5, 0.0, 0), 512, classes, rate, False).train()


def free_gib():
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 2**20


def figure(peer, flags, case):
    parts = case.split("/")
    if parts[0].isdigit():
        classes, rate = int(parts[0]), float(parts[1].removeprefix("rate"))
        if parts[2] != "dense":
            return None, "it has no sparse update"
        if classes * 16e-6 > free_gib():  # measured: 13.5 GiB above the start at a million
            return None, f"it needs {classes * 16e-6:.0f} GiB of memory"
        return classifier_step(peer, classes, rate), ""
    network, side, batch, kind = parts
    if side != "112":
        return None, "its networks want 112 pixels"
    if network.startswith("vit") and not peer.has_timm:
        return None, "this Python has no timm"
    return whole_step(peer, flags, network, int(batch), kind == "bf16"), ""


def main():
    folder, threads, cases = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    torch.set_num_threads(threads)
    flags = stub_cuda()
    with tempfile.TemporaryDirectory() as scratch:
        torch.distributed.init_process_group("gloo", init_method=f"file://{scratch}/meet", rank=0, world_size=1)
        peer = Peer(os.path.join(folder, "recognition", "arcface_torch"))
        for case in cases:
            value, why = figure(peer, flags, case)
            if value is None:
                print(f"arcface_torch: no {case}: {why}", file=sys.stderr)
            else:
                print(f"{case} {value:.6g}", flush=True)
        torch.distributed.destroy_process_group()


main()
