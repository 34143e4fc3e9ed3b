-- a comment
app.agent('a', 't', function(stream)
  local total = 0
  for w in stream do
    total = total + w.amount
end)

app.task(function() print 'x' end)
