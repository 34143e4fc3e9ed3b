-- A table that is read from its changelog.
app.configure { id = 'recovery', topic_partitions = 8, web_enabled = false }
local inputs = app.topic('inputs', { key = 'string', value = 'string' })
local sums = app.table('sums', { value = 'string' })
app.agent('sum', inputs, function(stream)
  for key, text in stream:items() do sums[key] = text end
end)
