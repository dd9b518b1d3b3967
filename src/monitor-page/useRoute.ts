import { useEffect, useState } from 'preact/hooks';
import { type Route, routeOf } from './route.js';

/** The route of the address; back and forward work. */
export function useRoute(): Route {
  const [route, setRoute] = useState(routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', follow);
    // It may have changed between the first look and the listener.
    follow();
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}
