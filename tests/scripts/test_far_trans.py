#!/usr/bin/env python3
"""scripts/markets/far_trans on a small made-up source, or (--real) on the data set itself under BOOKRUNNER_DATA.

Without the data set the second form says so and exits with 77, which CTest counts as skipped.
"""
import csv
import filecmp
import os
import subprocess
import sys
import tempfile

SCRIPTS = os.path.join(os.environ["BOOKRUNNER_SOURCE"], "scripts", "markets")
FILES = ("schema.yaml", "bonds.csv", "investors.csv", "bids.csv", "exclusions.csv")
ISSUE = "GRC123456789"  # sold by book building on 2020-10-19
STOCK = "GRS123000000"
HELD = f"{STOCK}@2017-12-31"  # stands for the opening holdings
SOURCE = {
    "first_buys.csv": ["from,to,customerID,ISIN"]
    + [f"2018-01-02,2018-01-03,C{i},{STOCK}" for i in range(3)]
    + [f"2020-10-16,2020-10-29,C{i},{ISSUE}" for i in range(4)]
    + [f"2020-11-09,2020-11-11,C9,{ISSUE}"]
    + [f"2019-08-{5 + i:02},2019-08-30,C{i + 3},{STOCK}" for i in range(5)],
    "buys_exact_2018_2019.csv": ["date,customerID,ISIN", f"2019-08-20,C3,{STOCK}", f"2019-08-29,C3,{STOCK}"],
    "customer_information.csv": [
        "customerID,customerType,riskLevel,investmentCapacity,lastQuestionnaireDate,timestamp",
        "C0,Mass,Predicted_Income,Not_Available,2021-11-30,2018-05-01",
        "C0,Premium,Balanced,CAP_80K_300K,2021-11-30,2020-01-01",
        "C8,Mass,Income,Predicted_CAP_LT30K,2021-11-30,2018-01-02"],
    "asset_information.csv": [
        "ISIN,assetName,assetShortName,assetCategory,assetSubCategory,marketID,sector,industry,timestamp",
        f"{STOCK},A Stock,AST,Stock,,XATH,Energy,Oil,2018-01-02",
        f"{ISSUE},A Bond,ABO,Bond,Corporate,XATH,Corporate,Oil,2020-10-29",
        f"{ISSUE},A Bond,ABO,Bond,Corporate,EBB,Corporate,Oil,2020-10-19"],
    "first_prices.csv": ["ISIN,minDate,priceMinDate", f"{STOCK},2018-01-02,3.5", f"{ISSUE},2020-10-19,100.0"],
    "markets.csv": ["exchangeID,marketID,name", "ATHEX,XATH,Athens", "ATHEX,EBB,Book building"],
}


def run(name, *arguments):
    return subprocess.run([os.path.join(SCRIPTS, name), *arguments], capture_output=True, text=True, check=False)


def rows(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def make_source(folder, **changed):
    os.makedirs(folder)
    for name, lines in SOURCE.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("\n".join(changed.get(name.split(".")[0], lines)) + "\n")


def check(is_so, what):
    if not is_so:
        sys.exit(f"not so: {what}")


def made_up(folder):
    source, market, again = (os.path.join(folder, name) for name in ("source", "market", "again"))
    make_source(source)
    done = run("far_trans", source, market)
    check(done.returncode == 0, done.stderr)
    check(f"{ISSUE}@2020-10-19 4 bidders" in done.stderr, done.stderr)
    check(run("far_trans", source, again).returncode == 0, "a second run")
    check(filecmp.cmpfiles(market, again, FILES, shallow=False)[0] == list(FILES), "equal bytes from both runs")
    stock = f"{STOCK}@2019-08-12"
    window = [row for row in rows(market, "bonds.csv") if row[10] == "secondary" and row[0] != HELD]
    check(window == [], f"five buyers in two windows make no offering: {window}")
    check(rows(market, "bonds.csv")[0][:4] == [HELD, "GR123", "2017-12-31", "2017-12-31"], "what was held before the data")
    check(rows(market, "bonds.csv")[1:] == [[f"{ISSUE}@2020-10-19", "GR123", "2020-10-12", "2020-10-19", "Bond", "Corporate",
                                         "EBB", "Corporate", "Oil", "GR", "primary", "under 1 month", "100.0", "0"]],
          "the issue")
    check([row for row in rows(market, "bids.csv") if row[1] == HELD] ==
          [[f"C{i}-{STOCK}", HELD, f"C{i}", "2018-01-02", "2018-01-03"] for i in range(3)], "opening holdings")
    check(rows(market, "bids.csv")[3] == [f"C0-{ISSUE}", f"{ISSUE}@2020-10-19", "C0", "2020-10-19", "2020-10-29"],
          "a bid on the issue")
    check(rows(market, "investors.csv")[:3] == [["C0", "2018-01-02", "", "", ""],
                                                ["C0", "2018-05-01", "Mass", "Income", ""],
                                                ["C0", "2020-01-01", "Premium", "Balanced", "CAP_80K_300K"]],
          "attributes by date, without the mark of predicted values")
    check(rows(market, "exclusions.csv") == [], "nobody held the issue before")
    clustered = [line.replace("2019-08-05", "2019-08-13").replace("2019-08-06", "2019-08-14")
                 .replace("2019-08-07", "2019-08-15") for line in SOURCE["first_buys.csv"]]
    clustered = [line.replace("2019-08-08", "2019-08-16").replace("2019-08-09", "2019-08-17") for line in clustered]
    make_source(source + "2", first_buys=clustered)
    check(run("far_trans", source + "2", market + "2").returncode == 0, "five buyers in one window")
    bonds = rows(market + "2", "bonds.csv")
    check([row[0] for row in bonds] == [HELD, stock, f"{ISSUE}@2020-10-19"], f"an offering: {bonds}")
    check(bonds[1][6:] == ["Athens", "Energy", "Oil", "GR", "secondary", "over 12 months", "3.5", "3"], bonds[1])
    check(rows(market + "2", "exclusions.csv") == [[stock, f"C{i}", "2018-01-02"] for i in range(3)],
          "opening holdings exclude")
    check(sum(row[1] == stock for row in rows(market + "2", "bids.csv")) == 5, "opening holdings are no bids of a window")
    check([f"C3-{STOCK}", stock, "C3", "2019-08-20", "2019-08-21"] in rows(market + "2", "bids.csv"), "exact days")


def broken(folder):
    for number, (name, lines, told) in enumerate((
            ("first_buys", ["from,to,ISIN"], "first_buys.csv line 1: no column customerID"),
            ("first_buys", ["from,to,customerID,ISIN", "2020-1-1,2020-01-02,C,I"], "line 2: '2020-1-1' is not a day"),
            ("first_buys", ["from,to,customerID,ISIN", "2020-01-01,2020-01-02,C"], "line 2: not as many fields"),
            ("first_prices", ["ISIN,minDate,priceMinDate", "I,2020-01-01,x"], "'x' is not a price"),
            ("asset_information", SOURCE["asset_information.csv"][:2], f"no row for {ISSUE}"))):
        source = os.path.join(folder, f"broken{number}")
        make_source(source, **{name: lines})
        done = run("far_trans", source, source + "-market")
        check(done.returncode == 1 and told in done.stderr, f"{told}: {done.stderr}")
    done = run("far_trans", os.path.join(folder, "none"), os.path.join(folder, "none-market"))
    check(done.returncode == 1 and "No such file" in done.stderr, done.stderr)


def real(folder):
    source = os.path.join(os.environ.get("BOOKRUNNER_DATA", ""), "far_trans")
    if not os.path.isdir(source):
        print("skipped: BOOKRUNNER_DATA names no folder with far_trans in it")
        sys.exit(77)
    market = os.path.join(folder, "market")
    done = run("far_trans", source, market)
    check(done.returncode == 0, done.stderr)
    bidders = [int(line.split()[-2]) for line in done.stderr.splitlines() if line.startswith("primary issue")]
    check(bidders[:9] == [142, 96, 8, 75, 19, 175, 362, 2120, 266], f"bidders per issue {bidders}")
    check("25333 buy" in done.stderr, done.stderr)
    done = run("far_trans_handmade", market)
    check(done.returncode == 0, done.stderr)
    for line in done.stdout.splitlines()[7:10]:
        check(float(line.split(",")[6]) > 0.75, f"AUC of the hand-made score: {line}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        if "--real" in sys.argv[1:]:
            real(folder)
        else:
            made_up(folder)
            broken(folder)


if __name__ == "__main__":
    main()
