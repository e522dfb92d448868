"""Figures to read: tables in Markdown, and which of the aims are met. A figure is the median of its
runs (with --best the best of them); ratios are of figures of one run of the benchmark."""
import statistics

OURS, DIR, FLOOR = "imgstorefs", "imgstorefs, dir", "floor"

BEST = False


def median(runs, best=min):
    """BEST: min or max, of what it is that is measured."""
    return best(runs) if BEST else statistics.median(runs)


def ready(runs):
    return median([r[0] for r in runs])


def synced(runs):
    return median([r[1] for r in runs])


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in [head] + rows]
    width = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, width)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines) + "\n"


def seconds(ms):
    return f"{ms / 1e3:.2f}"


def names(groups):
    """Keys of all GROUPS, each once, in order."""
    return list(dict.fromkeys(name for group in groups for name in group))


def about_input(name, facts):
    return (f"{name}: {facts['entries']:,} entries, {facts['size'] / 1e6:.0f} MB, "
            f"{facts['bytes'] / 2**20:.0f} MiB of contents")


def fetch_tables(results):
    groups = results["fetch"]
    if not groups:
        return
    who = names(groups.values())
    rows = []
    for name in groups:
        runs = groups[name]
        floor = synced(runs[FLOOR]) if FLOOR in runs else None
        cells = []
        for w in who:
            if w not in runs:
                cells.append("")
                continue
            ratio = f" ×{synced(runs[w]) / floor:.2f}" if floor and w != FLOOR else ""
            cells.append(f"{seconds(ready(runs[w]))} ({seconds(synced(runs[w]))}{ratio})")
        rows.append([about_input(name, results["inputs"][name])] + cells)
    yield ("From URL to root file system, in seconds: until it is ready (until that is on disk, "
           "and times the floor's)", table(["input"] + who, rows))


def tree_tables(results):
    groups = results["trees"]
    if not groups:
        return
    who = names(groups.values())
    rows = []
    for what, runs in groups.items():
        for i, heat in enumerate(("cold", "warm")):
            times = {w: median([r[i] for r in runs[w]]) for w in runs}
            rows.append([f"{what}, {heat}"] + [
                seconds(times[w]) + (f" ×{times['plain directory'] / times[w]:.2f}"
                                     if w != "plain directory" else "") if w in times else ""
                for w in who])
    yield ("Reading the large Debian's mounted tree, in seconds (times as fast as a plain "
           "directory)", table(["what"] + who, rows))


def number(x):
    return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}"


def small(what, runs):
    return median(runs, max if what.startswith(("reads", "state")) else min)


def small_tables(results):
    rows = [[what, f"{number(small(what, runs))} {unit}"] for what, unit, runs in results["small"]]
    if rows:
        yield "And", table(["what", "figure"], rows)


def mount_tables(results):
    groups = results.get("mounts")
    if groups:
        ways = names(groups.values())
        rows = [[what] + [number(median(runs[way])) for way in ways]
                for what, runs in groups.items()]
        yield ("The large Debian's image, mounted in each way", table(["what"] + ways, rows))


def tables(results):
    yield from fetch_tables(results)
    yield from tree_tables(results)
    yield from small_tables(results)
    yield from mount_tables(results)


# ---- aims: (what, aim, figure, whether it is met, by how much it is missed)


def at_most(what, aim, got, unit=""):
    return what, f"≤ {aim:g}{unit}", f"{got:.3g}{unit}", got <= aim, f"{got / aim - 1:.0%} over"


def at_least(what, aim, got, unit=""):
    return what, f"≥ {aim:g}{unit}", f"{got:.3g}{unit}", got >= aim, f"{1 - got / aim:.0%} under"


def fetch_aims(groups):
    for name, runs in groups.items():
        if OURS not in runs:
            continue
        if FLOOR in runs:
            yield at_most(f"{name}: over the floor, both on disk", 1.25,
                          synced(runs[OURS]) / synced(runs[FLOOR]))
        peers = {w: ready(r) for w, r in runs.items() if w not in (OURS, DIR, FLOOR)}
        if peers:
            best = min(peers, key=peers.get)
            yield at_least(f"{name}: as fast as the best peer ({best})", 2.5,
                           peers[best] / ready(runs[OURS]), " times")
        if "podman pull" in peers:
            yield at_least(f"{name}: as fast as podman", 8,
                           peers["podman pull"] / ready(runs[OURS]), " times")


def tree_aims(groups):
    for what, runs in groups.items():
        if what not in ("find -ls", "tar c") or OURS not in runs:
            continue
        for i, (heat, aim) in enumerate((("cold", 1.0), ("warm", 0.85))):
            plain, ours = (median([r[i] for r in runs[w]]) for w in ("plain directory", OURS))
            yield at_least(f"{what}, {heat}, as fast as a plain directory", aim, plain / ours,
                           " times")


AIMS = {  # of the small figures, by their beginnings
    "second name": (at_most, 5),
    "state against hello": (at_least, 0.9),
    "peak memory,": (at_most, 48),
    "disk": (at_most, 1.02),
    "removal": (at_most, 20),
}


def default_sink(figures):
    """Those of the sink that `auto` takes, where there are two."""
    erofs = any("sink erofs" in what for what, _, _ in figures)
    return [f for f in figures if not (erofs and "sink dir" in f[0])]


def small_aims(figures):
    for what, unit, runs in default_sink(figures):
        for beginning, (judge, aim) in AIMS.items():
            if what.startswith(beginning):
                yield judge(what, aim, small(what, runs), " " + unit)


def aims(results):
    rows = [[what, aim, got, "met" if met else "MISSED, " + missed]
            for judged in (fetch_aims(results["fetch"]), tree_aims(results["trees"]),
                           small_aims(results["small"]))
            for what, aim, got, met, missed in judged]
    rows += [[what, f"{aim}", "-", "not measured"] for what, (_, aim) in AIMS.items()
             if not any(f[0].startswith(what) for f in results["small"])]
    return table(["aim", "", "figure", ""], rows)


def machine(results):
    m, kind = results["machine"], "the best" if BEST else "medians"
    return (f"{results['date']}, {results['commit']}: {m['cpu']}, {m['cores']} cores, "
            f"{m['memory']} GiB, Linux {m['kernel']}, {m['disk']}; {kind} of {results['rounds']}; "
            f"load {m['load']:.1f} at the beginning.\n")


def markdown(results, *first):
    parts = [machine(results), *first]
    parts += [f"{title}:\n\n{body}" for title, body in tables(results)]
    about = [f"- {who}: {text}" for who, text in results["about"].items()]
    parts.append("\n".join(about + [f"- {note}" for note in results["notes"]]) + "\n")
    return "\n".join(parts)


def readme(results, chart):
    return markdown(results, f"![From URL to root file system]({chart})\n") + "\n" + \
        f"The aims, and by how much they are missed:\n\n{aims(results)}"
