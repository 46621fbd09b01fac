-- Who was told of an alarm is told, too, when a new plant.yaml ends it while it is active.

drop trigger transition_is_pushed on alarm_transition;

create trigger transition_is_pushed after insert on alarm_transition
for each row when (
    new.priority <= 2
    and new.after not in ('shelved', 'suppressed-by-design', 'out-of-service')
    and (new.cause in ('raised', 'returned')
         or (new.cause in ('shelf-expired', 'unsuppressed', 'put-back-in-service')
             and new.after = 'unacknowledged')
         or (new.cause = 'withdrawn' and new.before in ('unacknowledged', 'acknowledged')))
) execute function put_push();
