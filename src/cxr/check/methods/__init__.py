"""What checks share: registration, cross-fitting, look-alikes, cues."""
