-- An alarm that its design suppressed, or that was out of service, is told when that ends
-- and it is active, as one that was shelved is.

drop trigger transition_is_pushed on alarm_transition;

create trigger transition_is_pushed after insert on alarm_transition
for each row when (
    new.priority <= 2
    and new.after not in ('shelved', 'suppressed-by-design', 'out-of-service')
    and (new.cause in ('raised', 'returned')
         or (new.cause in ('shelf-expired', 'unsuppressed', 'put-back-in-service')
             and new.after = 'unacknowledged'))
) execute function put_push();
