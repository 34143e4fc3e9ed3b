print(('abc'):match('(a'))
