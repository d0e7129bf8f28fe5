"""Works while the file is imported.

must: timeout
budget: 0.5
"""

while True:
    torch.rand(200, 200) @ torch.rand(200, 200)
