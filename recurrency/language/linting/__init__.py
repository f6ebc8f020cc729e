"""Warnings about cells that are valid but probably not intended."""
