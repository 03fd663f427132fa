"""What dies and packages cost: yield, dies per wafer, known-good dies, chiplets.

The model is that of Feng and Ma, "Chiplet Actuary" (DAC 2022), recurring cost only; see
``docs/explanation/accelerator-costs.md``. Prices are inputs with a source and a date.
"""
