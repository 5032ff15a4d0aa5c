"""What the file and who reads it agree on."""

INPUT = "image"
OUTPUTS = ("logits", "features", "middle")
BATCH = 32  # images at once, at most
