app.agent('track', orders, function(stream)
  local total = 0
  for w in stream do
    total = total + w.amount
end)
