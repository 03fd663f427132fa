"""What a layer is to the hardware: 32 words in memory, read by the sequencer itself.

Addresses count words of activations: one pixel's values of `cols` neighbouring channels.
"""

from typing import Final

#: (field, bits, signed); one 32-bit word each, in this order.
FIELDS: Final = (
    ("pool", 1, False),  # keep maxima instead of summing products
    ("last", 1, False),  # the network ends here
    ("height", 16, True),  # of the input
    ("width", 16, True),
    ("pixels", 24, False),  # of the output
    ("out_width", 16, False),
    ("kernel_height", 8, False),
    ("kernel_width", 8, False),
    ("groups", 16, False),  # of channels that a window runs over
    ("folds", 16, False),  # of filters
    ("stride_y", 16, True),
    ("stride_x", 16, True),
    ("dilation_y", 16, True),
    ("dilation_x", 16, True),
    ("first_y", 16, True),  # row of the first window's corner: minus the padding
    ("first_x", 16, True),
    ("first_address", 24, True),  # of that corner, which may lie outside
    ("pixel_step", 24, True),  # to the next window
    ("row_step", 24, True),  # from the last window of a row to the next row's first
    ("kernel_x_step", 24, True),
    ("kernel_y_step", 24, True),
    ("fold_step", 1, False),  # each fold reads its own channels (depthwise, pool)
    ("weight_address", 24, False),
    ("parameter_address", 24, False),
    ("out_address", 24, False),
    ("out_groups", 16, False),  # words of an output pixel
    ("in_zero", 8, True),
    ("out_zero", 8, True),
    ("idle", 24, False),  # slots to wait behind each fold, so that it can be drained
)

WORDS: Final = 32
FIELD_NAMES: Final = tuple(name for name, _, _ in FIELDS)
