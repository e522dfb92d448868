"""The chart: bars of seconds, a group for each input, as SVG that reads in light and dark."""
from html import escape

import report

BAR, GAP, LEFT, WIDTH, RIGHT = 16, 14, 190, 560, 130
STYLE = """text{font:12px system-ui,sans-serif;fill:#333}.h{font-weight:600}.n{fill:#666}
.ours{fill:#2563eb}.floor{fill:#9ca3af}.peer{fill:#d97706}.sync{opacity:.45}
@media(prefers-color-scheme:dark){text{fill:#ddd}.n{fill:#aaa}.ours{fill:#60a5fa}
.floor{fill:#6b7280}.peer{fill:#fbbf24}}"""


def kind(who):
    return {report.OURS: "ours", report.DIR: "ours", report.FLOOR: "floor"}.get(who, "peer")


def bar(y, who, runs, longest):
    """Solid until it is ready, pale until it is on disk."""
    ready, synced = report.ready(runs), report.synced(runs)
    scale = WIDTH / longest
    middle = y + BAR - 4

    def rect(more, ms):
        return (f'<rect class="{kind(who)}{more}" x="{LEFT}" y="{y}" width="{ms * scale:.1f}" '
                f'height="{BAR - 3}"/>')

    return [
        f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(who)}</text>',
        rect(" sync", synced), rect("", ready),
        f'<text class="n" x="{LEFT + synced * scale + 6:.1f}" y="{middle}">{ready / 1e3:.2f} s '
        f'({synced / 1e3:.2f})</text>',
    ]


def svg(results):
    y, body = 24, []
    body.append(f'<text class="h" x="8" y="{y - 6}">From URL to root file system: seconds until '
                'it is ready (pale: until it is on disk as well); less is better</text>')
    for name, runs in results["fetch"].items():
        y += GAP + BAR
        body.append(f'<text class="h" x="8" y="{y - 6}">'
                    f'{escape(report.about_input(name, results["inputs"][name]))}</text>')
        longest = max(report.synced(r) for r in runs.values())
        for who, r in sorted(runs.items(), key=lambda kv: report.ready(kv[1])):
            body += bar(y, who, r, longest)
            y += BAR
    width = LEFT + WIDTH + RIGHT
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 12}" '
            f'viewBox="0 0 {width} {y + 12}"><style>{STYLE}</style>\n' +
            "\n".join(body) + "\n</svg>\n")
