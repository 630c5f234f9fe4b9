"""The tables and plots in docs/, from results/."""
