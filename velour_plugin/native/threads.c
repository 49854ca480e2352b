/* Tasks on threads that live for one call. */
#include "common.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define HAVE_THREADS 1
#endif

typedef struct {
    Task task;
    void *job;
    int64_t count;
    int64_t next;
} Queue;

static void *run_tasks(void *argument)
{
    Queue *queue = argument;
    for (;;) {
#ifdef HAVE_THREADS
        int64_t number = __atomic_fetch_add(&queue->next, 1, __ATOMIC_RELAXED);
#else
        int64_t number = queue->next++;
#endif
        if (number >= queue->count)
            return NULL;
        queue->task(queue->job, number);
    }
}

void for_each(int64_t count, int threads, Task task, void *job)
{
    Queue queue = {task, job, count, 0};
#ifdef HAVE_THREADS
    pthread_t helpers[MOST_THREADS];
    int started = 0;
    while (started + 1 < threads && started + 1 < count && started < MOST_THREADS &&
           !pthread_create(&helpers[started], NULL, run_tasks, &queue))
        started++;
    run_tasks(&queue);
    while (started)
        pthread_join(helpers[--started], NULL);
#else
    (void)threads;
    run_tasks(&queue);
#endif
}
