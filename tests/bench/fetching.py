"""From URL to root file system: everyone in turn, again and again."""
import shutil
import subprocess

import contenders
from inputs import say
from place import now, read_through, sync_fs


def once(bench, contender, item, check):
    """[ms until ready, ms until that is on disk as well]"""
    sync_fs(bench.disk)
    folder = contenders.fresh(bench.disk)
    try:
        ready, tree = contender.fetch(item, folder)
    except subprocess.CalledProcessError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    begun = now()
    sync_fs(bench.disk)
    synced = ready + now() - begun
    if check and tree:
        # An archive has an entry for its root or none.
        found = contenders.tree_size(tree)
        if item.facts["entries"] - found not in (0, 1):
            raise RuntimeError(f"{contender.name}: {found} entries of {item.name}")
    contender.clear(folder)
    return [round(ready, 1), round(synced, 1)]


def able(bench, who, item):
    """Those of WHO that can be tried on ITEM; why the others cannot is noted."""
    able = []
    for contender in who:
        why = contender.missing() or contender.unable(item)
        if contender.slow and item.name not in bench.args.slow:
            why = why or "slow, so not measured on every input"
        if why:
            bench.note(f"{contender.name}: {why}")
        else:
            able.append(contender)
    return able


def measure(bench, item, who, rounds):
    """{contender's name: [[ready, synced], …]}"""
    who = able(bench, who, item)
    runs = {contender.name: [] for contender in who}
    read_through(item.path)  # the server's disk is nobody's affair
    for i in range(rounds):
        for contender in list(who):
            try:
                runs[contender.name].append(once(bench, contender, item, i == 0))
            except subprocess.CalledProcessError as failure:
                if not contender.peer:
                    raise
                bench.note(f"{contender.name}: failed on {item.name} with {failure.returncode}")
                who.remove(contender)
                del runs[contender.name]
        say(f"{item.name} {i + 1}/{rounds}: " + ", ".join(
            f"{name} {r[-1][0] / 1e3:.2f} ({r[-1][1] / 1e3:.2f})" for name, r in runs.items()))
    return runs
