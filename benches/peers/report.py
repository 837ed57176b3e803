"""What is said of the measurements: a table, a plot, a line. Nothing is measured here."""
from html import escape


def seconds(value):
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def answered(row):
    return {True: "right", False: "**wrong**", None: "not checked"}[row["right"]]


def text(case):
    lines = [f"== {case['title']}"]
    for row in case["rows"]:
        if row["failed"]:
            lines.append(f"  {row['tool']:46} {row['failed']}")
        else:
            lines.append(
                f"  {row['tool']:46} {seconds(row['seconds']):>7} s  {seconds(row['cpu']):>7} CPU s"
                f"  {row['peak'] / 2**20:7.0f} MiB  {answered(row)}"
            )
    return "\n".join(lines)


def markdown(about, cases, awkward):
    out = [
        "# tally and its peers",
        "",
        f"Measured {about['date']} on {about['machine']}. Load average at the start: {about['load']}.",
        f"{about['versions']}.",
        "",
        f"Least of {about['rounds']} rounds, tools taking turns; what takes more than 8 seconds runs once. tally: release",
        "build, warm daemon, two workers; its CPU time and memory are those of client, daemon and workers together.",
        "Mapped pages of a file count as memory. On a busy machine trust the CPU seconds: seconds include waiting for others.",
        "Right means equal to the exact answer from Python's integers and fractions, rounded once.",
        "",
        "`cargo run --release -p tally-benches peers` measures again and writes this file.",
        "",
    ]
    if about["absent"]:
        out += [f"Not installed when this was measured: {', '.join(about['absent'])}.", ""]
    for case in cases:
        ours = case["rows"][0]
        out += [f"## {case['title']}", "", case["note"], ""]
        rate = " GB/s | GB per CPU s |" if case["bytes"] else ""
        out += [f"| tool | s | CPU s | CPU, tally = 1 |{rate} peak MiB | answer |"]
        out += ["|---|---:|---:|---:|" + ("---:|---:|" if rate else "") + "---:|---|"]
        for row in case["rows"]:
            if row["failed"]:
                continue
            ratio = row["cpu"] / max(ours.get("cpu", 0), 1e-3) if not ours["failed"] else float("nan")
            line = f"| {row['tool']} | {seconds(row['seconds'])} | {seconds(row['cpu'])} | {ratio:.2f} |"
            if case["bytes"]:
                line += "".join(f" {case['bytes'] / max(row[key], 1e-6) / 1e9:.2f} |" for key in ("seconds", "cpu"))
            out += [f"{line} {row['peak'] / 2**20:.0f} | {answered(row)} |"]
        out += [""]
    peers = [who for who in awkward[0]["ok"]]
    out += ["## Exactness", "", "What each says; wrong answers are bold.", ""]
    out += ["| case | right | " + " | ".join(peers) + " |", "|---|---|" + "---|" * len(peers)]
    for row in awkward:
        cells = ["right" if row["ok"][who] else f"**{row[who]}**" for who in peers]
        out += [f"| {row['name']} | {row['right']} | " + " | ".join(cells) + " |"]
    wrong = ", ".join(f"{who} {sum(not row['ok'][who] for row in awkward)}" for who in peers)
    out += ["", f"Wrong of {len(awkward)}: {wrong}."]
    return "\n".join(out) + "\n"


STYLE = """
text{font:13px system-ui,sans-serif;fill:#1f2328}.h{font-weight:600}.q{fill:#59636e;font-size:12px}
.bg{fill:#fff}.us{fill:#0969da}.them{fill:#afb8c1}.bad{fill:#d1803a}.one{stroke:#0969da;stroke-dasharray:2 3}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.q{fill:#9198a1}.bg{fill:#0d1117}.us{fill:#4493f8}.them{fill:#565f6b}.bad{fill:#b0662a}.one{stroke:#4493f8}}
"""


def svg(cases):
    """Bars of CPU seconds, each case to its own scale."""
    left, width, right, step = 300, 330, 130, 20
    y, body = 58, []
    for case in cases:
        rows = [row for row in case["rows"] if not row["failed"]]
        most = max((row["cpu"] for row in rows), default=1) or 1
        body.append(f'<text class="h" x="16" y="{y}">{escape(case["title"])}</text>')
        y += 8
        for row in rows:
            kind = "us" if row["tool"] == "tally" else "bad" if row["right"] is False else "them"
            length = max(1, row["cpu"] / most * width)
            body.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{escape(row["tool"])}</text>')
            body.append(f'<rect class="{kind}" x="{left}" y="{y + 3}" width="{length:.1f}" height="{step - 6}" rx="2"/>')
            body.append(f'<text class="q" x="{left + length + 6:.1f}" y="{y + 14}">{seconds(row["cpu"])} s</text>')
            y += step
        y += 28
    total = left + width + right
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {y}" width="{total}" height="{y}" role="img">'
    title = "<title>CPU seconds of tally and its peers</title>"
    key = '<text x="16" y="26" class="q">CPU seconds, shorter is better; blue: tally; orange: the answer was wrong</text>'
    background = f'<rect class="bg" width="{total}" height="{y}"/>'
    return "\n".join([head, title, f"<style>{STYLE}</style>", background, key, *body, "</svg>"]) + "\n"
