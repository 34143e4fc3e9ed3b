local x = None.y
