"""Every row of the table."""

from benchmarks import rows_install, rows_lock

ROWS = (*rows_install.ROWS, *rows_lock.ROWS)
