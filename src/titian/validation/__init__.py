"""Accuracy, calibration and disparity on the test part, each with its interval and control."""
