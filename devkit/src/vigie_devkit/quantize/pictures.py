"""The frames on which a variant differs most from fp32, drawn side by side for the report."""

from __future__ import annotations

from collections.abc import Sequence

from vigie_devkit.accuracy.agreement import match_frame
from vigie_devkit.accuracy.side_by_side import jpeg, side_by_side
from vigie_devkit.quantize.variants import Built
from vigie_devkit.quantize.workbench import Workbench, file_run

PER_VARIANT = 2
# Frames that are looked at: all of them would double what the judge has cost.
LOOKED_AT = 40


def worst_frames(bench: Workbench, built: Sequence[Built]) -> list[tuple[str, bytes]]:
    """Caption and JPEG, the worst frames of each variant first; nothing for a classifier, whose boxes are the frame."""
    if bench.card.task == "classification":
        return []
    samples = bench.final.samples[:LOOKED_AT]
    pictures = []
    for one in built:
        run = file_run(one.content, bench.card, bench.machine.threads)
        found = []
        for index, sample in enumerate(samples):
            wanted = bench.final.decode(bench.final.float_outputs[index])
            had = bench.final.decode(run(sample.tensor_hwc))
            match = match_frame(wanted, had, iou_min=0.5)
            found.append((len(match.missing) + len(match.new) + len(match.flips), index, wanted, had, match))
        # The worst first; of frames without any difference one with the most objects shows at least that.
        found.sort(key=lambda row: (-row[0], -len(row[2]), row[1]))
        for differences, index, wanted, had, match in found[:PER_VARIANT]:
            picture = side_by_side(
                samples[index].tensor_hwc, (("fp32", wanted), (one.name, had)), match, bench.card.labels
            )
            pictures.append((f"{one.name}, {samples[index].name}: {differences} difference(s)", jpeg(picture)))
    return pictures
