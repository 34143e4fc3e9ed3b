app.topic('or ders!')
