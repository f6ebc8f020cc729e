"""Passes: functions from graphs to graphs that keep their meaning."""
