#!/usr/bin/python3
"""The rival: the model of common/model/model.h, trained with masks, written for speed in PyTorch on a CPU.

usage: torch_train.py [options]                 how fast: samples a second on made-up data, as JSON
       torch_train.py --market DIR [options]    how good: a training on what export_market wrote, test figures as JSON
       torch_train.py --self-test               the network against its formulas

It is a rival at its best: one embedding table, masks as rows of it, no loop over fields; the cross layers with their backward written out
(autograd's own makes three passes more over the largest arrays), parts of a batch small enough for the caches, gradients added up; Adam
over all parameters in one call. `compare_training` sets its environment. Exit code 77: there is no PyTorch (Debian: python3-torch).
"""
import argparse
import json
import math
import sys
import time

try:
    import numpy
    import torch
    from torch.nn import functional
except ImportError as missing:
    print(f"skipped: {missing}; apt-get install python3-torch", file=sys.stderr)
    sys.exit(77)

N_TOP = 50
N_EVALUATED = 4096  # samples scored at a time
MAX_VALID = 200000  # BR_MAX_VALID_SAMPLES


class Embedding(torch.autograd.Function):
    """Rows [n] of a table [n_rows, d]. functional.embedding is the same; its backward takes twice as long."""

    @staticmethod
    def forward(ctx, table, rows):
        ctx.shape = table.shape
        ctx.save_for_backward(rows)
        return table.index_select(0, rows)

    @staticmethod
    def backward(ctx, dx):
        rows, = ctx.saved_tensors
        return dx.new_zeros(ctx.shape).scatter_add_(0, rows[:, None].expand(-1, ctx.shape[1]), dx), None


class Cross(torch.autograd.Function):
    """x_L of x_{l+1} = x_0 * (U_l V_l^T x_l + b_l) + x_l; what backward needs and nothing else is kept."""

    @staticmethod
    def forward(ctx, x0, b, *uv):
        n = len(uv) // 2
        x, xs, qs, zs = x0, [], [], []
        for u, v, b_l in zip(uv[:n], uv[n:], b):
            xs.append(x)
            qs.append(x @ v)
            zs.append(torch.addmm(b_l, qs[-1], u.t()))
            x = torch.addcmul(x, x0, zs[-1])
        ctx.n = n
        ctx.save_for_backward(*uv, *xs, *qs, *zs)
        return x

    @staticmethod
    def backward(ctx, dx):
        n, kept = ctx.n, ctx.saved_tensors
        us, vs, xs, qs, zs = (kept[k * n:(k + 1) * n] for k in range(5))
        dx0, db, du, dv = None, [None] * n, [None] * n, [None] * n
        for k in reversed(range(n)):
            dx0 = dx * zs[k] if dx0 is None else dx0.addcmul_(dx, zs[k])
            dz = torch.mul(dx, xs[0], out=zs[k])
            db[k] = dz.sum(0)
            du[k] = dz.t() @ qs[k]
            dq = dz @ us[k]
            dv[k] = xs[k].t() @ dq
            dx = torch.addmm(dx, dq, vs[k].t()) if k == n - 1 else dx.addmm_(dq, vs[k].t())
        return dx0.add_(dx), torch.stack(db), *du, *dv


class Network(torch.nn.Module):
    """Embeddings by row, cross layers and a deep tower in parallel. First values as br_model_init() draws them."""

    def __init__(self, n_rows, n_fields, d, n_cross, rank, hidden, dtype=torch.float32):
        super().__init__()
        self.width = n_fields * d

        def drawn(scale, *shape):
            return torch.nn.Parameter(torch.randn(*shape, dtype=dtype) * scale)

        cross = math.sqrt(2 / (self.width + rank))
        self.table = drawn(0.1, n_rows, d)
        self.u = torch.nn.ParameterList(drawn(cross, self.width, rank) for _ in range(n_cross))
        self.v = torch.nn.ParameterList(drawn(cross, self.width, rank) for _ in range(n_cross))
        self.b = drawn(0, n_cross, self.width)
        widths = [self.width, *hidden]
        self.w = torch.nn.ParameterList(drawn(math.sqrt(2 / n), m, n) for n, m in zip(widths, widths[1:]))
        self.c = torch.nn.ParameterList(drawn(0, m) for m in hidden)
        self.w_cross = drawn(math.sqrt(1 / self.width), self.width)
        self.w_deep = drawn(math.sqrt(1 / hidden[-1]), hidden[-1])
        self.bias = drawn(0, 1)

    def forward(self, rows):
        """Logits [n] of rows [n, n_fields] of the table."""
        x0 = Embedding.apply(self.table, rows.flatten()).view(len(rows), self.width)
        x = Cross.apply(x0, self.b, *self.u, *self.v)
        h = x0
        for w, c in zip(self.w, self.c):
            h = torch.addmm(c, h, w.t()).relu_()
        return torch.mv(x, self.w_cross) + torch.mv(h, self.w_deep) + self.bias

    def flop_of_sample(self):
        """Of a training step: forward, and twice as much backward. Products, and the three operations of x_0 * (z + b) + x."""
        products = sum(p.numel() for p in (*self.u, *self.v, *self.w, self.w_cross, self.w_deep))
        return 3 * (2 * products + 3 * self.b.numel())


class Samples:
    """Codes once per bond and once per (day, investor), as in market/dataset.h."""

    def __init__(self, bond_codes, investor_codes, bond_of, row_of, label, negative_keep=1.0):
        self.bond_codes, self.investor_codes = bond_codes, investor_codes
        self.bond_of, self.row_of, self.label = bond_of.long(), row_of.long(), label.float()
        self.negative_keep = negative_keep


class Fields:
    """Where each field's rows begin in the table; the row after an investor field's last value is its mask."""

    def __init__(self, n_values, n_bond):
        n_rows = [n + (j >= n_bond) for j, n in enumerate(n_values)]
        first = numpy.cumsum([0, *n_rows])
        self.n, self.n_bond, self.n_rows = len(n_values), n_bond, int(first[-1])
        self.first_bond = torch.tensor(first[:n_bond], dtype=torch.int64)
        self.first_investor = torch.tensor(first[n_bond:-1], dtype=torch.int64)
        self.mask = torch.tensor(first[n_bond + 1:] - 1, dtype=torch.int64)

    def rows(self, samples, which, plan=None):
        """Rows of the table [n, n_fields], masked by a plan."""
        rows = torch.empty(len(which), self.n, dtype=torch.int64)
        torch.add(samples.bond_codes[samples.bond_of[which]], self.first_bond, out=rows[:, :self.n_bond])
        shown = samples.investor_codes[samples.row_of[which]] + self.first_investor
        if plan is None:
            rows[:, self.n_bond:] = shown
        else:
            rows[:, self.n_bond:] = torch.where(draw_masks(len(which), len(self.mask), *plan), self.mask, shown)
        return rows


def draw_masks(n, n_fields, algorithm1, few, few_max):
    """Hidden [n, n_fields]: a share of the samples by Algorithm 1, a share all but 1 to few_max fields, the others shown whole."""
    kind = torch.rand(n, 1)
    hidden = torch.rand(n, n_fields) < torch.where(kind < algorithm1, torch.rand(n, 1), torch.zeros(1))
    if few > 0:
        few_max = min(few_max, n_fields)
        some = ((kind >= algorithm1) & (kind < algorithm1 + few)).flatten().nonzero().flatten()
        picked = torch.rand(len(some), n_fields).topk(few_max).indices
        show = torch.arange(few_max) < torch.randint(1, few_max + 1, (len(some), 1))
        hidden[some] = torch.ones(len(some), n_fields, dtype=torch.bool).scatter_(1, picked, ~show)
    return hidden


class Learner:
    def __init__(self, network, options):
        self.network, self.tile = network, options.tile
        self.adam = torch.optim.Adam(network.parameters(), lr=options.rate, foreach=True)

    def step(self, rows, label, offset=0.0):
        """One step on the mean loss; the sum of the losses."""
        self.adam.zero_grad(set_to_none=True)
        total = 0.0
        for some, wanted in zip(rows.split(self.tile), label.split(self.tile)):
            loss = functional.binary_cross_entropy_with_logits(self.network(some) + offset, wanted, reduction="sum")
            (loss / len(rows)).backward()
            total += loss.item()
        self.adam.step()
        return total


def network_of(fields, options):
    return Network(fields.n_rows, fields.n, options.d, options.cross, options.rank, options.hidden)


# --- how fast ---

def made_up(options):
    """The shapes of the paper's market, 8 values a field."""
    fields = Fields([8] * (options.bond_fields + options.investor_fields), options.bond_fields)
    n, bonds, rows = 16 * options.batch, 200, 20000
    samples = Samples(torch.randint(0, 8, (bonds, options.bond_fields), dtype=torch.uint8),
                      torch.randint(0, 8, (rows, options.investor_fields), dtype=torch.uint8),
                      torch.randint(0, bonds, (n,)), torch.randint(0, rows, (n,)), torch.rand(n) < 0.2)
    return fields, samples


def measure(options):
    fields, samples = made_up(options)
    learner = Learner(network_of(fields, options), options)
    plan = (1.0, 0.0, 0)
    making = stepping = 0.0
    n_steps = -2  # the first two warm up
    while n_steps < 1 or making + stepping < options.seconds:
        which = torch.randperm(len(samples.label))[:options.batch]
        began = time.perf_counter()
        rows, label = fields.rows(samples, which, plan), samples.label[which]
        made = time.perf_counter()
        learner.step(rows, label)
        done = time.perf_counter()
        n_steps += 1
        if n_steps > 0:
            making += made - began
            stepping += done - made
    n = n_steps * options.batch
    flop = learner.network.flop_of_sample()
    return {"samples_per_s": round(n / (making + stepping)), "samples_per_s_batches_ready": round(n / stepping),
            "gflops": round(n / (making + stepping) * flop * 1e-9, 1), "mflop_per_sample": round(flop * 1e-6, 2),
            "parameters": sum(p.numel() for p in learner.network.parameters()), "steps": n_steps}


# --- how good ---

def load(folder, part):
    def array(name):
        return numpy.load(f"{folder}/{part}.{name}.npy")

    def tensor(name):
        data = array(name)
        return torch.from_numpy(data if data.dtype == numpy.uint8 else data.astype(numpy.int64))
    names = ("bond_codes", "investor_codes", "bond_of", "row_of", "label")
    return Samples(*map(tensor, names), negative_keep=float(array("negative_keep")[0]))


def score(network, fields, samples, which):
    with torch.inference_mode():
        return torch.cat([network(fields.rows(samples, some)) for some in which.split(N_EVALUATED)]).double().numpy()


def auc_of(logit, label):
    """P(a positive's logit is higher), ties count half."""
    _, place, count = numpy.unique(logit, return_inverse=True, return_counts=True)
    rank = numpy.cumsum(count) - (count - 1) / 2
    n_positive = label.sum()
    return (rank[place][label].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * (len(label) - n_positive))


def log_loss_of(logit, label, negative_weight=1.0):
    loss = numpy.logaddexp(0, numpy.where(label, -logit, logit))
    return numpy.average(loss, weights=numpy.where(label, 1.0, negative_weight))


def calibrate(logit, label, negative_weight):
    """Platt's slope and offset by Newton's method."""
    at = numpy.array([1.0, 0.0])
    x = numpy.stack([logit, numpy.ones_like(logit)], 1)
    weight = numpy.where(label, 1.0, negative_weight)
    for _ in range(25):
        p = 1 / (1 + numpy.exp(-(x @ at)))
        at -= numpy.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x, x.T @ (weight * (p - label)))
    return at


def lists_of(logit, label, bond_of):
    """Recall and Precision at N_TOP, means over the bonds that someone bid for."""
    recalls, precisions = [], []
    for some in numpy.split(numpy.arange(len(logit)), numpy.flatnonzero(numpy.diff(bond_of)) + 1):
        if label[some].any():
            hits = label[some][numpy.argsort(-logit[some], kind="stable")[:N_TOP]].sum()
            recalls.append(hits / label[some].sum())
            precisions.append(hits / N_TOP)
    return numpy.mean(recalls), numpy.mean(precisions)


class Validation:
    def __init__(self, fields, samples):
        positive, negative = (samples.label == 1).nonzero().flatten(), (samples.label == 0).nonzero().flatten()
        n = min(len(negative), MAX_VALID - len(positive))
        self.fields, self.samples = fields, samples
        self.which = torch.cat([positive, negative[torch.randperm(len(negative))[:n]]])
        self.label = samples.label[self.which].numpy() == 1
        self.negative_weight = len(negative) / n / samples.negative_keep

    def logits(self, network):
        return score(network, self.fields, self.samples, self.which)


class Epochs:
    """Positives and negatives drawn anew each epoch, with the shift of the logit that this makes."""

    def __init__(self, samples, negatives):
        self.positive = (samples.label == 1).nonzero().flatten()
        self.negative = (samples.label == 0).nonzero().flatten()
        self.n_negative = min(len(self.negative), math.ceil(negatives * len(self.positive)))
        keep = samples.negative_keep * self.n_negative / len(self.negative)
        self.offset = -math.log(keep)
        self.base_rate = math.log(len(self.positive) / (len(self.negative) / samples.negative_keep))

    def draw(self):
        drawn = torch.cat([self.positive, self.negative[torch.randperm(len(self.negative))[:self.n_negative]]])
        return drawn[torch.randperm(len(drawn))]


def run_epoch(learner, fields, samples, epochs, epoch, final_from, options):
    order = epochs.draw()
    n_steps = math.ceil(len(order) / options.batch)
    plan = options.masks if epoch < final_from else options.final_masks
    for step, which in enumerate(order.tensor_split(n_steps)):
        part = (epoch - final_from + step / n_steps) / max(options.final_epochs, 1)
        span = options.rate - options.final_rate
        learner.adam.param_groups[0]["lr"] = (options.rate if epoch < final_from else
                                              options.final_rate + span * 0.5 * (1 + math.cos(math.pi * part)))
        learner.step(fields.rows(samples, which, plan), samples.label[which], epochs.offset)


def train(learner, fields, samples, validation, options):
    """Both phases, as br_train() does; the best epoch's parameters are left in the network. Epochs done."""
    network = learner.network
    epochs = Epochs(samples, options.negatives)
    network.bias.data.fill_(epochs.base_rate)
    best, kept, stale, epoch, final_from = math.inf, None, 0, 0, options.epochs - options.final_epochs
    while epoch < final_from + options.final_epochs:
        run_epoch(learner, fields, samples, epochs, epoch, final_from, options)
        logit = validation.logits(network)
        loss = log_loss_of(logit, validation.label, validation.negative_weight)
        print(f"epoch {epoch + 1}: validation log loss {loss:.5f}, AUC {auc_of(logit, validation.label):.4f}", file=sys.stderr)
        epoch, stale = epoch + 1, stale + 1
        if loss < best:
            best, stale, kept = loss, 0, {name: value.clone() for name, value in network.state_dict().items()}
        if stale >= options.patience:
            if epoch > final_from or options.final_epochs == 0:
                break
            final_from, stale = epoch, 0
    network.load_state_dict(kept)
    return epoch


def learn(options):
    fields = Fields(numpy.load(f"{options.market}/fields.npy"), int(numpy.load(f"{options.market}/n_bond_fields.npy")[0]))
    validation = Validation(fields, load(options.market, "valid"))
    learner = Learner(network_of(fields, options), options)
    began = time.perf_counter()
    epochs = train(learner, fields, load(options.market, "train"), validation, options)
    seconds = time.perf_counter() - began
    slope, offset = calibrate(validation.logits(learner.network), validation.label, validation.negative_weight)
    test = load(options.market, "test")
    logit, label = score(learner.network, fields, test, torch.arange(len(test.label))), test.label.numpy() == 1
    recall, precision = lists_of(logit, label, test.bond_of.numpy())
    return {"auc": round(auc_of(logit, label), 5), "log_loss": round(log_loss_of(slope * logit + offset, label), 5),
            "log_loss_uncalibrated": round(log_loss_of(logit, label), 5), f"recall_at_{N_TOP}": round(recall, 4),
            f"precision_at_{N_TOP}": round(precision, 4), "epochs": epochs, "seconds": round(seconds, 1)}


# --- itself ---

def self_test():
    torch.manual_seed(1)
    network = Network(12, 5, 3, 3, 2, [4, 3], torch.float64)
    x0 = torch.randn(6, 15, dtype=torch.float64, requires_grad=True)
    given = [p.detach().add(torch.randn_like(p)).requires_grad_() for p in (network.b, *network.u, *network.v)]
    b, *uv = given
    x = x0
    for k in range(3):
        x = x0 * (x @ uv[3 + k] @ uv[k].t() + b[k]) + x
    assert torch.allclose(x, Cross.apply(x0, *given)), "the cross layers"
    dx, through = torch.randn_like(x), (x0, *given)
    for mine, theirs in zip(torch.autograd.grad(Cross.apply(x0, *given), through, dx), torch.autograd.grad(x, through, dx)):
        assert torch.allclose(mine, theirs), "the gradient of the cross layers"
    rows = torch.tensor([3, 0, 3])
    used = torch.autograd.grad(Embedding.apply(network.table, rows), network.table, torch.ones(3, 3, dtype=torch.float64))[0]
    assert torch.equal(Embedding.apply(network.table, rows), network.table[rows]), "the rows"
    assert used[:, 0].tolist() == [1, 0, 0, 2] + [0] * 8, "the gradient of the table"
    fields = Fields([3, 2, 4, 2], 2)
    one = Samples(torch.tensor([[2, 1]], dtype=torch.uint8), torch.tensor([[3, 0]], dtype=torch.uint8), torch.tensor([0]),
                  torch.tensor([0]), torch.tensor([1]))
    assert fields.rows(one, torch.tensor([0])).tolist() == [[2, 4, 8, 10]], "rows of what is shown"
    assert fields.rows(one, torch.tensor([0]), (0.0, 1.0, 1)).tolist()[0][2:] in ([9, 10], [8, 12], [9, 12], [8, 10])
    shown = (~draw_masks(20000, 30, 0.5, 0.25, 20)).sum(1).double()
    assert abs(shown.mean() - (0.5 * 15 + 0.25 * 10.5 + 0.25 * 30)) < 0.3, "how many fields the plan shows"
    few = (~draw_masks(20000, 30, 0.0, 1.0, 20)).sum(1)
    assert few.min() == 1 and few.max() == 20 and abs(few.double().mean() - 10.5) < 0.2, "few fields"
    logit, label = numpy.array([0.0, 1.0, 1.0, 2.0]), numpy.array([False, True, False, True])
    assert auc_of(logit, label) == 0.875, "a tie counts half"
    assert lists_of(logit, label, numpy.array([0, 0, 1, 1])) == (1.0, 1 / N_TOP)
    print("the network is what its formulas say")


def shares(text):
    algorithm1, few, few_max = text.split(",")
    return float(algorithm1), float(few), int(few_max)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--market", help="folder that export_market wrote")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="how long to measure")
    parser.add_argument("--batch", type=int, help="samples per step; default 4096, with --market 512")
    parser.add_argument("--tile", type=int, default=1024, help="samples worked at a time")
    parser.add_argument("--bond-fields", type=int, default=32)
    parser.add_argument("--investor-fields", type=int, default=259)
    parser.add_argument("--d", type=int, default=8)
    parser.add_argument("--cross", type=int, default=3)
    parser.add_argument("--rank", type=int, default=64)
    parser.add_argument("--hidden", type=lambda text: [int(n) for n in text.split("-")], default=[256, 128])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--final-epochs", type=int, default=4)
    parser.add_argument("--patience", type=int, default=3)
    parser.add_argument("--negatives", type=float, default=4.0, help="per positive and epoch")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--final-rate", type=float, default=1e-4)
    parser.add_argument("--masks", type=shares, default=(1.0, 0.0, 20), help="Algorithm 1's share,few's share,few at most")
    parser.add_argument("--final-masks", type=shares, default=(0.5, 0.25, 20))
    options = parser.parse_args()
    options.batch = options.batch or (512 if options.market else 4096)
    return options


def main():
    options = read_options()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(options.seed)
    if options.self_test:
        return self_test()
    result = learn(options) if options.market else measure(options)
    result |= {"threads": options.threads, "batch": options.batch, "tile": options.tile, "torch": torch.__version__}
    return print(json.dumps(result))


if __name__ == "__main__":
    main()
