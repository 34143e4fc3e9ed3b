local s = ('abc'):gsub('%w', function(c)
  return lookup[c]
end)
