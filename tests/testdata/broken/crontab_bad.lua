app.crontab('0 25 * * *', function() end)
