"""Why the model says what it says: heat maps, how far to trust them, telling examples.

The server draws overlays and occlusion maps without torch, so nothing is imported here.
"""
