"""Many settings tried, one chosen on inner images, and measured once on outer ones."""
