app.crontab('0 20 * * *', { tz = 'Europe/Olso' }, function() end)
