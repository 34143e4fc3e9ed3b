-- Things that run by the clock: in every worker, or in one of them.

app.configure { id = 'crontab', timezone = 'Europe/Oslo' }

local runs = { tick = 0, report = 0 }

app.timer('1s', { name = 'tick' }, function() runs.tick = runs.tick + 1 end)

-- Every second, in whichever worker leads. When it dies, another one takes over.
app.crontab('* * * * * *', { name = 'report', on_leader = true }, function()
  runs.report = runs.report + 1
  print('report', runs.report)
end)

app.crontab('0 20 * * 1-5', { name = 'evening', tz = 'Europe/Oslo' }, function()
  print 'good evening'
end)

app.task({ name = 'lead', on_leader = true }, function() print 'this worker leads' end)

app.page('/runs/', function() return runs end)
