"""Training: the nine networks, and the trunk they may start from. Ends in a RUN folder (``mrnet_core.store``)."""
