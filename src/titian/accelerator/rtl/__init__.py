"""Designs that compute a quantised network, in Amaranth, and what drives them.

`requantiser`, `feeder`, `output_stationary` and `machine` are circuits; `program` turns a
network into descriptors and memory images; `timing` says how many cycles it takes; `build`
and `simulation` make and run the C++ simulator.
"""
