"""Turn raw files into training-ready ones, with a manifest of every sample."""

from parquetizer.settings import Column, Input, TableSettings
from parquetizer.table import TableResult, parquetize_table

__all__ = ["Column", "Input", "TableResult", "TableSettings", "parquetize_table"]
