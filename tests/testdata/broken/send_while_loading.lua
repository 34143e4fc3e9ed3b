local orders = app.topic('orders')
orders:send { value = 1 }
