"""Warnings about cells that are allowed and hardly meant."""
