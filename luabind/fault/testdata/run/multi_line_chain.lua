local q = { where = function(self) return self end }
q
  :where('a')
  :order('b')
  :limit(1)
