#!/usr/bin/python3
"""The rival: the paper's search for reasons by gradient (common/explain/gumbel.h), written for speed in PyTorch on a CPU.

usage: torch_gumbel.py [options]        milliseconds per explanation, one at a time and in batches of 50, as JSON
       torch_gumbel.py --self-test      the search against its formulas

On a made-up network and investors: a step takes the same time on any. As good a rival as its trainer: the cross layers' backward is written out,
only gates have gradients, weights have none. `compare_training` tells what environment suits it. Exit code 77: there is no PyTorch (Debian:
python3-torch).
"""
import argparse
import json
import math
import statistics
import sys
import time

from torch_train import Network, torch

FIRST_GATE_LOGIT = -10.0
N_BOND, D, N_REASONS, N_STEPS, RATE, ALPHA = 32, 8, 6, 100, 0.1, 0.04
TEMPERATURE, TEMPERATURE_FLOOR = 5.0, 0.1


class Cross(torch.autograd.Function):
    """x_L for its gradient by x_0 alone."""

    @staticmethod
    def forward(ctx, x0, b, *uv):
        n = len(uv) // 2
        x, zs = x0, []
        for u, v, b_l in zip(uv[:n], uv[n:], b):
            zs.append(torch.addmm(b_l, x @ v, u.t()))
            x = torch.addcmul(x, x0, zs[-1])
        ctx.n = n
        ctx.save_for_backward(x0, *uv, *zs)
        return x

    @staticmethod
    def backward(ctx, dx):
        n, (x0, *kept) = ctx.n, ctx.saved_tensors
        us, vs, zs = kept[:n], kept[n:2 * n], kept[2 * n:]
        dx0 = torch.zeros_like(x0)
        for k in reversed(range(n)):
            dx0.addcmul_(dx, zs[k])
            dx = torch.addmm(dx, (dx * x0) @ us[k], vs[k].t())
        return dx0.add_(dx), *[None] * (1 + 2 * n)


def logits(network, x0):
    x, h = Cross.apply(x0, network.b, *network.u, *network.v), x0
    for w, c in zip(network.w, network.c):
        h = torch.addmm(c, h, w.t()).relu()
    return torch.mv(x, network.w_cross) + torch.mv(h, network.w_deep) + network.bias


def loss(network, ends, gate_logit, noise, temperature):
    """Eq. (6) of each investor. ends: the bond's embeddings [n, n_bond d], the masks' and the values' [n, n_investor, d]."""
    bond, mask, value = ends
    gate = torch.sigmoid((gate_logit + noise) / temperature)
    gated = torch.lerp(mask, value, gate.unsqueeze(2)).flatten(1)
    f = torch.sigmoid(logits(network, torch.cat((bond, gated), 1)))
    return ALPHA * (torch.sigmoid(gate_logit).sum(1) - N_REASONS) ** 2 - f


def search(network, ends):
    """The fields that are selected [n, N_REASONS]."""
    gate_logit = torch.full(ends[1].shape[:2], FIRST_GATE_LOGIT, dtype=ends[1].dtype, requires_grad=True)
    adam = torch.optim.Adam([gate_logit], lr=RATE)
    for step in range(N_STEPS):
        noise = torch.logit(torch.rand_like(gate_logit), eps=1e-7)
        temperature = max(TEMPERATURE * (1 - step / N_STEPS), TEMPERATURE_FLOOR)
        adam.zero_grad(set_to_none=True)
        loss(network, ends, gate_logit, noise, temperature).sum().backward()
        adam.step()
    return gate_logit.detach().topk(N_REASONS, 1).indices


def made_up(n, n_investor, cross, rank, hidden, dtype=torch.float32):
    network = Network(4, N_BOND + n_investor, D, cross, rank, hidden, dtype).requires_grad_(False)
    ends = (torch.randn(1, N_BOND * D, dtype=dtype).expand(n, -1), torch.randn(n_investor, D, dtype=dtype).expand(n, -1, -1),
            torch.randn(n, n_investor, D, dtype=dtype))
    return network, tuple(0.5 * end for end in ends)


def flop_of_step(network):
    """Of forward and a backward that passes no weight: products alone."""
    return 4 * sum(p.numel() for p in (*network.u, *network.v, *network.w))


def measure(options):
    out = {}
    for name, n in (("single", 1), ("list", options.list)):
        network, ends = made_up(n, options.investor_fields, options.cross, options.rank, options.hidden)
        search(network, ends)
        took, took_cpu = [], []
        began = time.perf_counter()
        while not took or time.perf_counter() - began < options.seconds:
            start, start_cpu = time.perf_counter(), time.process_time()
            search(network, ends)
            took.append((time.perf_counter() - start) / n)
            took_cpu.append((time.process_time() - start_cpu) / n)
        out[f"{name}_ms"] = round(1e3 * statistics.median(took), 2)
        out[f"{name}_cpu_ms"] = round(1e3 * statistics.median(took_cpu), 2)  # of all threads; does not count who else is on the core
        out[f"{name}_gflops"] = round(1e-9 * N_STEPS * flop_of_step(network) / statistics.median(took), 1)
    return out


def self_test():
    torch.manual_seed(1)
    network, ends = made_up(3, 9, 3, 2, [6, 4], torch.float64)
    x0 = torch.randn(3, network.width, dtype=torch.float64)
    x, h = x0, torch.relu(x0 @ network.w[0].t() + network.c[0])
    for u, v, b in zip(network.u, network.v, network.b):
        x = x0 * (x @ v @ u.t() + b) + x
    h = torch.relu(h @ network.w[1].t() + network.c[1])
    expected = x @ network.w_cross + h @ network.w_deep + network.bias
    assert torch.allclose(logits(network, x0), expected), "the network"
    gate_logit = torch.randn(3, 9, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(3, 9, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda at: loss(network, ends, at, noise, 2.0), gate_logit), "the gradient of the loss"
    shut = loss(network, ends, torch.full((3, 9), -50.0, dtype=torch.float64), 0 * noise, 0.1)
    none = torch.sigmoid(logits(network, torch.cat((ends[0], ends[1].flatten(1)), 1)))
    assert torch.allclose(shut, ALPHA * N_REASONS ** 2 - none), "gates that are shut leave the masks"
    # Of what adds up, the search finds the largest terms.
    for w in (*network.u, *network.w):
        w.zero_()
    weight = torch.zeros(N_BOND * D + 9 * D, dtype=torch.float64)
    weight[N_BOND * D:] = 1.0
    network.w_cross.copy_(weight)
    terms = torch.tensor([0.5, -1, 0.4, 0.6, -1, 0.45, -2, 0.55, 0.7], dtype=torch.float64)
    value = terms.repeat(3, 1).unsqueeze(2).expand(3, 9, D) / D
    found = search(network, (ends[0], torch.zeros(3, 9, D, dtype=torch.float64), value))
    assert all(sorted(one) == [0, 2, 3, 5, 7, 8] for one in found.tolist()), found
    assert math.isclose(flop_of_step(network), 4 * (2 * 3 * network.width * 2 + network.width * 6 + 24))
    print("the search is what its formulas say")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5, help="how long to measure each")
    parser.add_argument("--list", type=int, default=50)
    parser.add_argument("--investor-fields", type=int, default=259)
    parser.add_argument("--cross", type=int, default=3)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--hidden", type=lambda text: [int(n) for n in text.split("-")], default=[256, 128])
    return parser.parse_args()


def main():
    options = read_options()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    if options.self_test:
        return self_test()
    return print(json.dumps(measure(options) | {"threads": options.threads, "torch": torch.__version__}))


if __name__ == "__main__":
    sys.exit(main())
