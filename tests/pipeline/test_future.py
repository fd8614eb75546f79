"""What is dated after a day moves nothing of that day: two installations know the same market up to day D, and one of them also knows
rows of later days before it ranks. The lists and explanations of D must say the same, down to the last digit."""

import csv
import json
import os
import shutil
import tempfile

from installation import Installation, cut_market, simulate

DAY = "2024-10-08"
HEAD = "ledger_head"  # the one thing that may differ: how many records the list saw


def add_future(market, source):
    """Rows that speak of days after DAY, all of which a leak would show in lists or features."""
    with open(os.path.join(source, "bids.csv")) as file:
        bids = csv.DictReader(file)
        names = bids.fieldnames
        later = [row for row in bids if row["bid_date"] > DAY]
    with open(os.path.join(source, "bonds.csv")) as file:
        bonds = csv.DictReader(file)
        bond_names = bonds.fieldnames
        bonds = list(bonds)
    with open(os.path.join(source, "investors.csv")) as file:
        investors = csv.DictReader(file)
        investor_names = investors.fieldnames
        investors = list(investors)
    known = {row["bond_id"] for row in bonds if row["announce_date"] <= DAY}
    changed = 0
    with open(os.path.join(market, "bonds.csv"), "a") as out:
        writer = csv.DictWriter(out, bond_names)
        for row in bonds:
            if row["announce_date"] > DAY:  # announced later, and told with other features than the simulator's
                writer.writerow(dict(row, subject_rating="A", industry="steel", size="1.000"))
                changed += 1
    with open(os.path.join(market, "bids.csv"), "a") as out:
        writer = csv.DictWriter(out, names)
        for row in later:
            writer.writerow(row)
        upcoming = [row for row in bonds if row["bond_id"] in known and row["issue_date"] > DAY]
        for row in upcoming:  # everybody bids on the very bonds that are ranked, a day later
            for investor in investors[:100]:
                writer.writerow({"bid_id": f"x-{row['bond_id']}-{investor['investor_id']}", "bond_id": row["bond_id"],
                                 "investor_id": investor["investor_id"], "bid_date": "2024-10-09", "amount": "1"})
    with open(os.path.join(market, "investors.csv"), "a") as out:
        writer = csv.DictWriter(out, investor_names)
        for row, other in zip(investors[:150], investors[150:300]):  # each becomes another one
            writer.writerow(dict(other, investor_id=row["investor_id"], effective_from="2024-10-09"))
        writer.writerow(dict(investors[0], investor_id="I99999", effective_from="2024-10-09"))
    with open(os.path.join(market, "exclusions.csv"), "a") as out:
        for row in upcoming:
            for investor in investors[:50]:
                out.write(f"{row['bond_id']},{investor['investor_id']},2024-10-09,,\n")
    assert changed > 20 and len(later) > 100 and len(upcoming) > 3, (changed, len(later), len(upcoming))
    return [row["bond_id"] for row in upcoming]


def ranked(market, models, day):
    """{bond: its list with explanations} as of the close of `day`."""
    with Installation() as place:
        if models is not None:
            shutil.copytree(models[0], place.path("models"))
            os.chmod(place.path("models"), 0o700)
        place.up()
        place.run("import", market)
        if models is None:
            place.run("train", "--seed", "7", "--before", day)
        place.run("close-day", day)
        place.wait_explained()
        bonds = sorted(key.split()[0] for what, key in place.digest() if what == "list")
        explained = {bond: place.json("explain", bond) for bond in bonds}
        head = place.stores()[HEAD]
        place.run("down")
        if models is None:
            kept = tempfile.mkdtemp(prefix="bookrunner-models-")
            shutil.copytree(place.path("models"), kept, dirs_exist_ok=True)
            models = (kept,)
    return explained, models, head


def without_head(value):
    if isinstance(value, dict):
        return {name: without_head(part) for name, part in value.items() if name != HEAD}
    return [without_head(part) for part in value] if isinstance(value, list) else value


def main():
    root = tempfile.mkdtemp(prefix="bookrunner-future-")
    whole, past, more = (os.path.join(root, name) for name in ("whole", "past", "more"))
    simulate(whole)
    cut_market(whole, past, DAY)
    shutil.copy(os.path.join(whole, "exclusions.csv"), past)
    shutil.copytree(past, more)
    upcoming = add_future(more, whole)
    expected, models, head = ranked(past, None, DAY)
    found, _, later_head = ranked(more, models, DAY)
    assert later_head > head + 1000, f"the future has only {later_head - head} records"
    assert sorted(expected) == sorted(found) == sorted(upcoming), (sorted(expected), sorted(found), sorted(upcoming))
    for bond in expected:
        a, b = without_head(expected[bond]), without_head(found[bond])
        assert a == b, f"{bond} has moved:\n{json.dumps(a)[:2000]}\n{json.dumps(b)[:2000]}"
    shutil.rmtree(root)
    shutil.rmtree(models[0])
    print(f"{len(expected)} lists with explanations as of {DAY} are unmoved by {later_head - head} records of later days")


main()
