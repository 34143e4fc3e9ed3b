local total = { sum = 0 }
total.sum += 5
total.sum -= 2
