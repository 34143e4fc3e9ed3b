print(math.flor(1.5))
