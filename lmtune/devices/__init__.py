"""Where a run computes: number formats, processes, throughput."""
