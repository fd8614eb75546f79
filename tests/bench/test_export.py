#!/usr/bin/env python3
"""export_market on a tiny simulated market: what it writes are arrays that fit each other."""
import array
import ast
import os
import re
import subprocess
import sys
import tempfile

BIN = os.environ["BOOKRUNNER_BIN"]
TYPES = {"|u1": "B", "<u4": "I", "<f8": "d"}


def load(path):
    """Shape and items, by the numpy format's own description."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00" and (10 + int.from_bytes(data[8:10], "little")) % 64 == 0, path
    begin = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:begin].decode())
    items = array.array(TYPES[header["descr"]], data[begin:])
    count = 1
    for n in header["shape"]:
        count *= n
    assert count == len(items) and not header["fortran_order"], path
    return header["shape"], items


def check_part(here, part, n_values, n_bond_fields, said):
    def of(name):
        return load(f"{here}/arrays/{part}.{name}.npy")
    (n_bonds, width), bond_codes = of("bond_codes")
    (n_rows, investor_width), investor_codes = of("investor_codes")
    assert (width, investor_width) == (n_bond_fields, len(n_values) - n_bond_fields), part
    assert all(code < n_values[i % width] for i, code in enumerate(bond_codes)), part
    assert all(code < n_values[n_bond_fields + i % investor_width] for i, code in enumerate(investor_codes)), part
    (n,), label = of("label")
    assert set(of("bond_of")[1]) == set(range(n_bonds)) and set(of("row_of")[1]) == set(range(n_rows)), part
    assert len(of("bond_of")[1]) == len(of("row_of")[1]) == n and set(label) == {0, 1}, part
    assert said == (n_bonds, n, sum(label)) and list(of("negative_keep")[1]) == [1.0], (part, said)


def main():
    with tempfile.TemporaryDirectory() as here:
        market = f"{here}/market"
        subprocess.run([f"{BIN}/bookrunner", "simulate", market, "--size", "tiny", "--seed", "1"], check=True, capture_output=True)
        done = subprocess.run([f"{BIN}/export_market", market, f"{here}/arrays"], check=True, capture_output=True, text=True)
        _, n_values = load(f"{here}/arrays/fields.npy")
        _, n_bond_fields = load(f"{here}/arrays/n_bond_fields.npy")
        for line in done.stdout.splitlines():
            part, n_bonds, n, n_positive = re.fullmatch(r"(\w+): (\d+) bonds, (\d+) of \3 pairs, (\d+) with a bid", line).groups()
            check_part(here, part, n_values, n_bond_fields[0], (int(n_bonds), int(n), int(n_positive)))
        assert len(done.stdout.splitlines()) == 3, done.stdout
        with open(f"{market}/bids.csv", "a", encoding="utf-8") as file:
            file.write("no bid\n")
        done = subprocess.run([f"{BIN}/export_market", market, f"{here}/arrays"], check=False, capture_output=True, text=True)
        assert done.returncode == 1 and "bids.csv, line" in done.stderr, done
    print("export_market: arrays that fit each other, and a market with a wrong row is refused")


if __name__ == "__main__":
    sys.exit(main())
