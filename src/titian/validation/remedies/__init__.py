"""What could be done about a disparity, each option with its effect on a held-back part.

Nothing here is applied. An option is worked out on the fit part and measured on cases that
the working-out has not seen:

- *thresholds*: one for each group, so that all have the measure that the common threshold
  gives over all (Hardt, Price and Srebro, NeurIPS 2016);
- *reweighing*: weights for training, under which label and group are independent (Kamiran and
  Calders, Knowl. Inf. Syst. 33, 2012, 1-33). What they do to a model can be seen only by
  training it again; what is measured here is a logistic refit of the score with the weights
  against one without, and the rest is *not shown*;
- *cases*: how many more would narrow each group's interval. What they do to a retrained model
  is *not shown*.
"""
