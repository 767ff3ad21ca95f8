"""The paper's search of its Table 3: batch size, then epochs, then dropout, each at the best before it."""
