; The primes below a hundred, with a sieve in a hash table.

(define composite (make-table))

(define (strike multiple step end)
  (if (< multiple end)
      (begin (table-set! composite multiple #t) (strike (+ multiple step) step end))))

(define (sieve n end primes)
  (if (= n end)
      primes
      (if (table-ref composite n #f)
          (sieve (+ n 1) end primes)
          (begin (strike (* n n) n end) (sieve (+ n 1) end (cons n primes))))))

(define (reverse list done)
  (if (null? list) done (reverse (cdr list) (cons (car list) done))))

(display (reverse (sieve 2 100 '()) '()))
(display "\n")
