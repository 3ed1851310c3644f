/** `npm run simulate -- --seeds N [--from S] | --seed S [--trace]` */
import { simulate } from './simulate.ts';
const seed=Number(process.argv[2]??1), n=Number(process.argv[3]??1);
const t0=performance.now(); let ev=0,bad=0; const totals=new Map<string,number>();
for(let s=seed;s<seed+n;s++){const t=performance.now();const r=await simulate({seed:s,...(process.argv[4]==='trace'?{trace:(l)=>console.log(l)}:{})});ev+=r.events;
 for(const [k,v] of r.counters) totals.set(k,(totals.get(k)??0)+v);
 if(r.violations.length){bad++;console.log(s,r.traceHash,r.events,r.commands,(performance.now()-t).toFixed(0)+'ms',r.violations.slice(0,3).join('\n   '));}
 else if(n<5) console.log(s,r.traceHash,r.events,r.commands,(performance.now()-t).toFixed(0)+'ms')}
const sec=(performance.now()-t0)/1000; console.log(n,'seeds',bad,'bad',(n/sec).toFixed(1),'seeds/s',(ev/n).toFixed(0),'events');
if(n>=5) console.log(Object.fromEntries([...totals].sort()));
