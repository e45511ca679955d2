"""The functions' packages: reproducible zips, published to every Region and recorded in SSM last."""
