local s = ('x'):rep({})
